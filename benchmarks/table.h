/* What the sink keeps of its table: a digest and the size of each item, not the item itself. */
#include "request.h"

enum { UNIT_BYTES = 1024 };

struct slot {
    uint64_t key;
    struct value item;
    bool used; /* a deleted key keeps its slot */
};

struct table {
    struct slot *slots;
    size_t room, used, items; /* room is a power of two */
    uint64_t digest;          /* the sum of the digests of all keys with their items */
};

static struct slot *find(struct table *t, uint64_t key) {
    size_t at = mix(key, 0) & (t->room - 1);
    while (t->slots[at].used && t->slots[at].key != key) at = (at + 1) & (t->room - 1);
    return &t->slots[at];
}

static void resize(struct table *t, size_t room) {
    struct table old = *t;
    t->room = room;
    t->slots = calloc(room, sizeof *t->slots);
    if (!t->slots) abort();
    for (size_t i = 0; i < old.room; i++)
        if (old.slots[i].used) *find(t, old.slots[i].key) = old.slots[i];
    free(old.slots);
}

static void clear(struct table *t) {
    free(t->slots);
    *t = (struct table){0};
}

static void copy(struct table *to, const struct table *from) {
    clear(to);
    if (!from->room) return;
    *to = *from;
    to->slots = malloc(from->room * sizeof *from->slots);
    if (!to->slots) abort();
    memcpy(to->slots, from->slots, from->room * sizeof *from->slots);
}

/* Apply a change and return its write units: those of the larger of the old and the new item. */
static unsigned long write_change(struct table *t, const struct change *c) {
    if (t->used * 3 >= t->room * 2) resize(t, t->room ? t->room * 2 : 1 << 16);
    struct slot *slot = find(t, c->key);
    uint32_t old = slot->used ? slot->item.size : 0;
    uint32_t larger = old > c->item.size ? old : c->item.size;
    if (old) t->digest -= mix(c->key, slot->item.digest), t->items--;
    if (c->item.size) t->digest += mix(c->key, c->item.digest), t->items++;
    t->used += !slot->used;
    *slot = (struct slot){c->key, c->item, true};
    return larger ? (larger + UNIT_BYTES - 1) / UNIT_BYTES : 1;
}
