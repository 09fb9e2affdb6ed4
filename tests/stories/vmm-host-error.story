# An error of its own that makes QEMU shut down is the VMM's failure.
 5.000  qmp      web1 SHUTDOWN guest=false reason=host-error
 5.005  process  web1 exited 1
 6.000  expect   web1 failure by vmm, process-exit, not graceful, left gone, rule vmm-error
