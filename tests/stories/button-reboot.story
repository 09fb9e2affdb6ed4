# A guest may reboot on its power button; that is the operator's doing all the same.
 5.000  qmp      web1 POWERDOWN
 7.000  qmp      web1 RESET guest=true reason=guest-reset
 7.020  qmp      web1 RESET guest=true reason=guest-reset
 8.000  expect   web1 reboot by operator, power-button, graceful unknown, certain, left running, restart by-vmm
 8.000  expect   web1 1 verdict
