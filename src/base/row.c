#include "base/row.h"

#include "base/bytes.h"

bool fl_bounds_above(const struct fl_bounds *bounds, flowdb_slice key) {
    if (bounds->key_high_kind == FL_BOUND_NONE)
        return false;
    int order = fl_slice_compare(key, bounds->key_high);
    return bounds->key_high_kind == FL_BOUND_INCLUSIVE ? order > 0 : order >= 0;
}

bool fl_bounds_below(const struct fl_bounds *bounds, flowdb_slice key) {
    return bounds->key_low.size > 0 && fl_slice_compare(key, bounds->key_low) < 0;
}
