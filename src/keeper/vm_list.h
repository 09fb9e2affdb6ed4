/*
 * VM list: every kept VM, found by its process, name, uuid or instance in the same time however many there are.
 */
#pragma once

#include "keeper/kept.h"

struct vm_list {
        struct kept *first; /* the newest */
        size_t n;
        struct table by_pid, by_name, by_uuid, by_instance;
};

/* 0 or -ENOMEM. */
int vm_list_add(struct vm_list *list, struct kept *kept);
void vm_list_remove(struct vm_list *list, struct kept *kept);
void vm_list_deinit(struct vm_list *list);

/* Its name, pid or instance is another now. */
void vm_list_update(struct vm_list *list, struct kept *kept);

/* None of these finds one that is over.  By its process: not one that is a monitor in a process of many. */
struct kept *vm_list_find_pid(const struct vm_list *list, int64_t pid);
struct kept *vm_list_find_instance(const struct vm_list *list, const char *instance);
/*
 * By its instance, else by its name or its uuid: of user `uid` before any other's, if it is not -1; one that is there before one that has gone;
 * the newest.
 */
struct kept *vm_list_find(const struct vm_list *list, const char *word, int64_t uid);
/* The same, and those beside it of which nothing but their age tells which is meant, the newest first: how many, of which the first n_max (1 or more) are set. */
size_t vm_list_find_all(const struct vm_list *list, const char *word, int64_t uid, struct kept **ret_found, size_t n_max);
