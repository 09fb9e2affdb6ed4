# A panicked guest that is reset before anything else is heard of it was reset by somebody.
 5.000  qmp      web1 GUEST_PANICKED action=pause
 5.000  qmp      web1 STOP
 7.000  qmp      web1 RESET guest=false reason=host-qmp-system-reset
 7.000  expect   web1 reboot by operator, qmp-reset
 7.000  expect   web1 2 verdicts
