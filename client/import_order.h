#ifndef CLIENT_IMPORT_ORDER_H
#define CLIENT_IMPORT_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Tells the two hours apart that a local clock shows twice in autumn, by the order of the file: a
 * series' reading belongs to the second one if the first one is not later than what came before.
 * Files in falling order are known by more steps back than forward; there it is the reverse.
 */
struct order {
    struct order_slot *slots;
    size_t used, cap;
    uint64_t forward, back;
    int64_t last_s;
};

/** Tell each row's local time, so that the file's direction is known. */
void order_step(struct order *order, int64_t local_s);

/** Which of the two moments, of the series with this hash. False: no memory, or too many series. */
bool order_choose(struct order *order, uint64_t series, const int64_t utc_s[2], int64_t *chosen_s);

void order_fini(struct order *order);

#endif
