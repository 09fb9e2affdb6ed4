# A reset from the VM's window is the operator's.
 5.000  qmp      web1 RESET guest=false reason=host-ui
 6.000  expect   web1 reboot by operator, ui, not graceful, left running
