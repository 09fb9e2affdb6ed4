/*
 * Migration's rules: what QEMU does to a VM by itself while it is migrated, by the status before or after it.
 *
 * Each is a question to the scene, asked in the order of the one table (rules.c).
 */
#pragma once

#include "core/scene.h"

bool is_migration_quit(struct scene *s);
bool is_migration_pause(struct scene *s);
bool is_migration_failed(struct scene *s);
bool is_migrated_here(struct scene *s);
