# Tools may open private headers of the engine: they link libbusbar-internal.la.
TOOLS_LIBS = libbusbar-internal.la $(ENGINE_LIBS)
