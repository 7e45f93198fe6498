# Headers of libbusbar-client and the busbar shell are listed here.
