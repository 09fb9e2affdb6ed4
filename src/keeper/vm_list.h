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
/* By its instance, its name, or its uuid; of user `uid` first, if it is not -1. */
struct kept *vm_list_find(const struct vm_list *list, const char *word, int64_t uid);
