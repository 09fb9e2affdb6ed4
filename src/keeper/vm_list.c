#include "keeper/vm_list.h"
#include "sources/proc.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static uint64_t hash_text(const char *text) {
        return table_hash(text, strlen(text));
}

static uint64_t hash_uuid(const char *uuid) {
        char lower[sizeof(((struct vm_identity *)0)->uuid)];
        size_t n;

        for (n = 0; uuid[n] && n < sizeof(lower); n++)
                lower[n] = (char)tolower((unsigned char)uuid[n]);
        return table_hash(lower, n);
}

static void add_links(struct vm_list *list, struct kept *kept) {
        const struct store_vm *vm = kept_instance(kept);

        /* What thousands have in common, no uuid, no process or that of their monitors, is no key: taking one out would look at all. */
        if (vm->pid > 0 && !instance_is_monitors(vm->identity.instance))
                table_add(&list->by_pid, &kept->by_pid, table_hash(&vm->pid, sizeof(vm->pid)), kept);
        table_add(&list->by_name, &kept->by_name, hash_text(vm->identity.name), kept);
        if (*vm->identity.uuid)
                table_add(&list->by_uuid, &kept->by_uuid, hash_uuid(vm->identity.uuid), kept);
        table_add(&list->by_instance, &kept->by_instance, hash_text(vm->identity.instance), kept);
}

static void remove_links(struct vm_list *list, struct kept *kept) {
        table_remove(&list->by_pid, &kept->by_pid);
        table_remove(&list->by_name, &kept->by_name);
        table_remove(&list->by_uuid, &kept->by_uuid);
        table_remove(&list->by_instance, &kept->by_instance);
}

int vm_list_add(struct vm_list *list, struct kept *kept) {
        if (table_make_room(&list->by_pid) || table_make_room(&list->by_name) || table_make_room(&list->by_uuid) ||
            table_make_room(&list->by_instance))
                return -ENOMEM;
        add_links(list, kept);
        kept->next = list->first;
        if (list->first)
                list->first->previous = kept;
        list->first = kept;
        list->n++;
        return 0;
}

void vm_list_remove(struct vm_list *list, struct kept *kept) {
        remove_links(list, kept);
        if (kept->previous)
                kept->previous->next = kept->next;
        else
                list->first = kept->next;
        if (kept->next)
                kept->next->previous = kept->previous;
        kept->next = kept->previous = NULL;
        list->n--;
}

void vm_list_update(struct vm_list *list, struct kept *kept) {
        remove_links(list, kept);
        add_links(list, kept);
}

void vm_list_deinit(struct vm_list *list) {
        table_deinit(&list->by_pid);
        table_deinit(&list->by_name);
        table_deinit(&list->by_uuid);
        table_deinit(&list->by_instance);
}

struct kept *vm_list_find_pid(const struct vm_list *list, int64_t pid) {
        struct table_link *link = table_first(&list->by_pid, table_hash(&pid, sizeof(pid)));

        for (; link; link = table_next(link)) {
                struct kept *kept = link->owner;

                if (kept_instance(kept)->pid == pid && !kept->is_over && (kept->watch || kept->wire))
                        return kept;
        }
        return NULL;
}

struct kept *vm_list_find_instance(const struct vm_list *list, const char *instance) {
        struct table_link *link = table_first(&list->by_instance, hash_text(instance));

        for (; link; link = table_next(link)) {
                struct kept *kept = link->owner;

                if (!kept->is_over && !strcmp(kept_instance(kept)->identity.instance, instance))
                        return kept;
        }
        return NULL;
}

/* One of his before any other's, one that is there before one that has gone. */
static unsigned rank(const struct kept *kept, int64_t uid) {
        bool is_his = uid >= 0 && kept_instance(kept)->uid == uid;

        return 2 * is_his + (strcmp(kept->state, left_name(LEFT_GONE)) != 0);
}

/* Is it called that, by its name or (if it is not) by its uuid?  So that no VM is met twice. */
static bool is_called(const struct kept *kept, const char *word, bool by_uuid) {
        const struct vm_identity *identity = &kept_instance(kept)->identity;
        bool is_name = !strcmp(identity->name, word);

        return !kept->is_over && (by_uuid ? !is_name && !strcasecmp(identity->uuid, word) : is_name);
}

/* An instance that has gone is nobody else, whatever he calls himself. */
static bool is_instance(const char *word) {
        struct proc_instance instance;

        return strchr(word, ':') == word + PROC_BOOT_ID_MAX - 1 && (instance_is_domain(word) || !proc_instance_parse(&instance, word));
}

size_t vm_list_find_all(const struct vm_list *list, const char *word, int64_t uid, struct kept **ret_found, size_t n_max) {
        struct kept *one = vm_list_find_instance(list, word);
        size_t n = 0;

        if (one) {
                ret_found[0] = one;
                return 1;
        }
        if (is_instance(word))
                return 0;
        for (int by_uuid = 0; by_uuid < 2; by_uuid++) {
                struct table_link *link = by_uuid ? table_first(&list->by_uuid, hash_uuid(word)) : table_first(&list->by_name, hash_text(word));

                for (; link; link = table_next(link)) {
                        struct kept *kept = link->owner;
                        size_t at = n < n_max ? n : n_max;

                        if (!is_called(kept, word, by_uuid))
                                continue;
                        if (n && rank(kept, uid) != rank(ret_found[0], uid)) {
                                if (rank(kept, uid) < rank(ret_found[0], uid))
                                        continue;
                                n = at = 0;
                        }
                        n++;
                        /* The newest first. */
                        while (at && kept_instance(kept)->id > kept_instance(ret_found[at - 1])->id) {
                                if (at < n_max)
                                        ret_found[at] = ret_found[at - 1];
                                at--;
                        }
                        if (at < n_max)
                                ret_found[at] = kept;
                }
        }
        return n;
}

struct kept *vm_list_find(const struct vm_list *list, const char *word, int64_t uid) {
        struct kept *found;

        return vm_list_find_all(list, word, uid, &found, 1) ? found : NULL;
}
