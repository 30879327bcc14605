/* Comparing secrets: what it takes tells nothing of where they differ. */
#ifndef FL_TEXT_SECRET_H
#define FL_TEXT_SECRET_H

#include <stddef.h>

/* Are they the same? All ones if so, else 0: a mask, so that whoever goes on with it needs no branch either. Reads every
   byte of both. */
unsigned fl_secret_same(const void *one, const void *other, size_t size);

#endif
