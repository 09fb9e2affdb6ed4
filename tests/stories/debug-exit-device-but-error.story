# A VMM that says why it failed has failed, whatever devices it has.
 0.000  qmp      web1 running
 0.001  qmp      web1 device isa-debug-exit
 5.000  stderr   web1 message "qemu-system-x86_64: cannot allocate memory"
 5.001  process  web1 exited 1
 6.000  expect   web1 failure by vmm, process-exit, rule vmm-failed
