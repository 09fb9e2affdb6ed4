#include "basics/cleanup.h"
#include "client/client.h"

#include <errno.h>

struct vmpower_vm {
        struct client_object object;
};

struct vmpower_vms {
        size_t n;
        struct vmpower_vm items[];
};

struct vmpower_vms *vmpower_vms_free(struct vmpower_vms *vms) {
        for (size_t i = 0; vms && i < vms->n; i++)
                client_object_deinit(&vms->items[i].object);
        free(vms);
        return NULL;
}

size_t vmpower_vms_count(const struct vmpower_vms *vms) {
        return vms->n;
}

const struct vmpower_vm *vmpower_vms_get(const struct vmpower_vms *vms, size_t i) {
        return i < vms->n ? &vms->items[i] : NULL;
}

int vmpower_list_vms(struct vmpower *vmpower, struct vmpower_vms **ret_vms) {
        cleanup(json_decrefp) json_t *json = NULL;
        struct vmpower_vms *vms;
        json_t *list;
        size_t n;
        int r;

        r = client_ask(vmpower, "GET", "/v1/vms", NULL, &json);
        if (r)
                return r;
        list = json_object_get(json, "vms");
        if (!json_is_array(list))
                return client_fail_http(vmpower, -EPROTO);
        n = json_array_size(list);
        vms = calloc(1, sizeof(*vms) + n * sizeof(vms->items[0]));
        if (!vms)
                return client_fail_http(vmpower, -ENOMEM);
        for (; vms->n < n; vms->n++) {
                r = client_object_init(&vms->items[vms->n].object, json_incref(json_array_get(list, vms->n)));
                if (r) {
                        vmpower_vms_free(vms);
                        return client_fail_http(vmpower, r);
                }
        }
        *ret_vms = vms;
        return 0;
}

struct vmpower_vm *vmpower_vm_free(struct vmpower_vm *vm) {
        if (vm)
                client_object_deinit(&vm->object);
        free(vm);
        return NULL;
}

/* Ask for something whose answer is a VM. */
static int ask_for_vm(struct vmpower *vmpower, const char *method, const char *target, const char *body,
                      struct vmpower_vm **ret_vm) {
        struct vmpower_vm *vm;
        json_t *json;
        int r;

        r = target ? client_ask(vmpower, method, target, body, &json) : client_fail_http(vmpower, -ENOMEM);
        if (r)
                return r;
        if (!ret_vm) {
                json_decref(json);
                return 0;
        }
        vm = calloc(1, sizeof(*vm));
        if (!vm) {
                json_decref(json);
                return client_fail_http(vmpower, -ENOMEM);
        }
        r = client_object_init(&vm->object, json);
        if (r) {
                free(vm);
                return client_fail_http(vmpower, r);
        }
        *ret_vm = vm;
        return 0;
}

int vmpower_find_vm(struct vmpower *vmpower, const char *name, struct vmpower_vm **ret_vm) {
        cleanup(freep) char *target = client_target("/v1/vms/", name, "");

        return ask_for_vm(vmpower, "GET", target, NULL, ret_vm);
}

int vmpower_attach(struct vmpower *vmpower, const char *name, const char *qmp, int64_t pid, struct vmpower_vm **ret_vm) {
        cleanup(json_decrefp) json_t *order = json_pack("{s:s, s:s, s:I}", "name", name, "qmp", qmp, "pid", (json_int_t)pid);
        cleanup(freep) char *body = json_dumps(order, JSON_COMPACT | JSON_PRESERVE_ORDER);

        if (!body)
                return client_fail(vmpower, -EINVAL, "the name or the path is no UTF-8");
        return ask_for_vm(vmpower, "POST", "/v1/vms", body, ret_vm);
}

int vmpower_detach(struct vmpower *vmpower, const char *name, struct vmpower_vm **ret_vm) {
        cleanup(freep) char *target = client_target("/v1/vms/", name, "/monitor");

        return ask_for_vm(vmpower, "DELETE", target, NULL, ret_vm);
}

int vmpower_request(struct vmpower *vmpower, const char *name, const char *action, struct vmpower_vm **ret_vm) {
        cleanup(freep) char *target = client_target("/v1/vms/", name, "/requests");
        cleanup(json_decrefp) json_t *order = json_pack("{s:s}", "action", action);
        cleanup(freep) char *body = json_dumps(order, JSON_COMPACT);
        struct vmpower_vm *vm = NULL;
        int r;

        if (!body)
                return client_fail(vmpower, -EINVAL, "the action is no UTF-8");
        r = ask_for_vm(vmpower, "POST", target, body, &vm);
        if (r)
                return r;
        if (!ret_vm || !vmpower_vm_name(vm))
                vm = vmpower_vm_free(vm);
        if (ret_vm)
                *ret_vm = vm;
        return 0;
}

const char *vmpower_vm_name(const struct vmpower_vm *vm) {
        return client_object_text(&vm->object, "name");
}

const char *vmpower_vm_uuid(const struct vmpower_vm *vm) {
        return client_object_text(&vm->object, "uuid");
}

const char *vmpower_vm_backend(const struct vmpower_vm *vm) {
        return client_object_text(&vm->object, "backend");
}

const char *vmpower_vm_instance(const struct vmpower_vm *vm) {
        return client_object_text(&vm->object, "instance");
}

int64_t vmpower_vm_pid(const struct vmpower_vm *vm) {
        return client_object_number_in(&vm->object, NULL, "pid", 0);
}

const char *vmpower_vm_state(const struct vmpower_vm *vm) {
        return client_object_text(&vm->object, "state");
}

const char *vmpower_vm_began(const struct vmpower_vm *vm) {
        return client_object_text(&vm->object, "began");
}

const char *vmpower_vm_since(const struct vmpower_vm *vm) {
        return client_object_text(&vm->object, "since");
}

const char *vmpower_vm_monitor(const struct vmpower_vm *vm) {
        return client_object_text(&vm->object, "monitor");
}

const char *vmpower_vm_shared_monitor(const struct vmpower_vm *vm) {
        return client_object_text(&vm->object, "shared_monitor");
}

const char *vmpower_vm_could_attach(const struct vmpower_vm *vm) {
        return client_object_text(&vm->object, "could_attach");
}

const char *vmpower_vm_last_verdict(const struct vmpower_vm *vm) {
        return client_object_text_in(&vm->object, "last_verdict", "id");
}

const char *vmpower_vm_last_summary(const struct vmpower_vm *vm) {
        return client_object_text_in(&vm->object, "last_verdict", "summary");
}

const char *vmpower_vm_json(const struct vmpower_vm *vm) {
        return vm->object.text;
}
