# By name what run.py does. PORT, HOST, KEEP and ONCE reach the demo: make demo PORT=8123 ONCE=1
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	$$python -c "" 2>/dev/null && echo $$python && break; done)
COMMANDS = demo demo-django demo-lobsters test test-all test-lowest test-pythons lint bench

export PORT HOST KEEP ONCE LOBSTERS_DATABASE_URL LOBSTERS_SIZE
.PHONY: $(COMMANDS)
.NOTPARALLEL:
.DEFAULT_GOAL = demo

$(COMMANDS):
	@$(or $(PYTHON),python3) run.py $@
