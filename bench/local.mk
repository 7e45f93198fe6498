# The load harness sees public headers only.
noinst_PROGRAMS += busbar-bench
busbar_bench_SOURCES = \
	bench/batches.c \
	bench/batches.h \
	bench/busbar-bench.c \
	bench/net.c \
	bench/net.h \
	bench/options.c \
	bench/options.h \
	bench/process.c \
	bench/process.h \
	bench/workload.c \
	bench/workload.h \
	bench/write.c \
	bench/write.h
busbar_bench_LDADD = libbusbar-client.la -lm

EXTRA_DIST += bench/budget.py bench/queries.py bench/run.sh
