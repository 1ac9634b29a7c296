#!/bin/bash
# tools/fuzz/oss-fuzz/build.sh: the fuzz targets as OSS-Fuzz and ClusterFuzzLite want them. Their contract is its environment:
#
#   CC, CXX, CFLAGS, CXXFLAGS   the compiler, with the sanitizer and the coverage that were chosen
#   LIB_FUZZING_ENGINE          what brings main()
#   OUT                         where everything goes
#   SANITIZER                   address, undefined, memory, coverage, ...
#
# and its product, for each target: a program of that name, NAME_seed_corpus.zip (tests/corpus, and the seeds that every fuzzing begins with), NAME.dict where
# its grammar has words, NAME.options. Shared libraries that only a builder has go to $OUT/lib, where the programs look first.
#
# Without these variables it is a trial with clang and libFuzzer into build/fuzz/oss-out: `make fuzz-oss` runs what it built.
# Packages: those of `tools/setup build check`, and zip. Memory sanitizing would want all libraries built anew, and is refused.
set -eu -o pipefail
cd "$(dirname "$(realpath "$0")")/../../.."
export CC=${CC:-clang} CXX=${CXX:-clang++} SANITIZER=${SANITIZER:-address}
export CFLAGS=${CFLAGS--O1 -fno-omit-frame-pointer -gline-tables-only -fsanitize=address -fsanitize=fuzzer-no-link}
export CXXFLAGS=${CXXFLAGS-$CFLAGS} LIB_FUZZING_ENGINE=${LIB_FUZZING_ENGINE--fsanitize=fuzzer}
export OUT=${OUT:-$PWD/build/fuzz/oss-out}
[ "$SANITIZER" != memory ] || { echo "oss-fuzz: GLib and the others are not built for the memory sanitizer" >&2; exit 1; }
command -v zip >/dev/null || { echo "oss-fuzz: zip is missing (package zip)" >&2; exit 1; }

# libraries PROGRAM: those that a bare system need not have
libraries()
{
	ldd "$1" | sed -nE 's/.* => (\/[^ ]+) .*/\1/p' | grep -vE '/(libc|libm|libpthread|libdl|librt|libresolv|libgcc_s|libstdc\+\+)\.so'
}

# corpus NAME: as a zip file
corpus()
{
	local dir
	dir=$(mktemp -d)
	[ ! -e "tests/corpus/$1" ] || build/fuzz/corpus unpack "tests/corpus/$1" "$dir"
	build/fuzz/corpus seeds "$1" "$dir"
	rm -f "$OUT/$1_seed_corpus.zip"
	(cd "$dir" && zip -q -r "$OUT/$1_seed_corpus.zip" .)
	rm -rf "$dir"
}

make -j"$(nproc)" FUZZ_CC="$CC" build/fuzz/corpus
make -j"$(nproc)" build/fuzz/oss-fuzz
mkdir -p "$OUT/lib"
for library in $(libraries build/fuzz/oss-fuzz); do cp -L "$library" "$OUT/lib/"; done
# which there are, a program says when it has a name that is none
for name in $(FUZZ_TARGET=none build/fuzz/oss-fuzz 2>&1 | sed -n 's/^    //p'); do
	cp build/fuzz/oss-fuzz "$OUT/$name"
	corpus "$name"
	build/fuzz/corpus dict "$name" >"$OUT/$name.dict"
	[ -s "$OUT/$name.dict" ] || rm "$OUT/$name.dict"
	printf '[libfuzzer]\nmax_len = 4096\n' >"$OUT/$name.options"
done
echo "oss-fuzz: $(find "$OUT" -maxdepth 1 -name '*.options' | wc -l) targets in $OUT"
