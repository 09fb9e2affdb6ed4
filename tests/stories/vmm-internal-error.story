# A hypervisor that stops the VM over an internal error has failed.
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status internal-error
 5.001  expect   web1 failure by vmm, unseen, not graceful, left paused
