/**
 * The entry point of a fuzz target, as libFuzzer calls it: any bytes, no state kept between calls,
 * always 0. A defect shows as a sanitizer report or a failed assert.
 */
#ifndef LP_TESTS_FUZZ_FUZZ_H
#define LP_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
