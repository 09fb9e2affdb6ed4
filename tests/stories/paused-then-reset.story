# Who resets a VM that is paused has a paused VM afterwards; one that runs goes on running.
 1.000  qmp      web1 status running
 4.000  qmp      web1 STOP
 4.001  qmp      web1 status paused
 5.000  qmp      web1 RESET guest=false reason=host-qmp-system-reset
 5.000  expect   web1 reboot by operator, qmp-reset, not graceful, left paused, restart by-vmm
 6.000  qmp      web1 RESUME
 6.000  expect   web1 resume by operator, qmp-stop, left running
 7.000  qmp      web1 RESET guest=false reason=host-qmp-system-reset
 7.000  expect   web1 reboot by operator, qmp-reset, left running
