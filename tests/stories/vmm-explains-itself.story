# Of what a failing VMM says the first line counts: warnings before it and advice after it do not.
 0.010  stderr   web1 message "qemu-system-x86_64: warning: host doesn't support requested feature"
 0.020  stderr   web1 message "qemu-system-x86_64: unsupported machine type"
 0.020  stderr   web1 message "Use -machine help to list supported machines"
 0.025  process  web1 exited 1
 0.100  expect   web1 failure by vmm, process-exit, rule vmm-failed
