# A VM that is off but held, and is reset, is to begin anew once it is let go: that is the operator's reboot.
policy web1 on_poweroff=preserve
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.000  qmp      web1 STOP
 5.002  qmp      web1 status shutdown
60.000  qmp      web1 RESET guest=false reason=host-qmp-system-reset
60.000  expect   web1 reboot by operator, qmp-reset, not graceful, left paused, restart by-vmm
61.000  qmp      web1 RESUME
61.000  expect   web1 resume by operator, qmp-stop
61.000  expect   web1 3 verdicts
