/*
 * Puts right checksums over wrong bytes: behind a checksum of 64 bits no mutation would ever be
 * looked at. The sizes that the bytes state are believed as far as they fit.
 */
#ifndef FUZZ_COMMON_SEAL_H
#define FUZZ_COMMON_SEAL_H

#include <stddef.h>
#include <stdint.h>

void seal_wal(uint8_t *file, size_t size, uint64_t id);
void seal_manifest(uint8_t *file, size_t size, uint64_t id);
void seal_table(uint8_t *file, size_t size, uint64_t id);

#endif
