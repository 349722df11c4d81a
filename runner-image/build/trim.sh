#!/bin/sh
# trim.sh SITE_PACKAGES: removes what wheels carry for other people's work: their test suites, headers and sources for
# compiling against them, type stubs, command line programs. What an import reaches stays.
set -eu
cd "$1"

find . -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
find . -type f \( -name '*.h' -o -name '*.hpp' -o -name '*.c' -o -name '*.cpp' -o -name '*.pxd' -o -name '*.pyx' \
  -o -name '*.pyx.in' -o -name '*.pxi' -o -name '*.pyi' -o -name '*.a' -o -name '*.f' -o -name '*.f90' \) -delete
rm -rf bin share pyarrow/include matplotlib/mpl-data/sample_data matplotlib/backends/web_backend
find . -type d -empty -delete
