# A VMM that exits with an error has failed.
 0.000  qmp      web1 running
 5.000  stderr   web1 message "qemu-system-x86_64: error while loading state"
 5.001  process  web1 exited 1
 6.000  expect   web1 failure by vmm, process-exit, not graceful, left gone, rule vmm-failed
