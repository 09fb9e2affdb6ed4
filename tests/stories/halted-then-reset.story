# A halted guest that somebody resets runs again.
policy web1 on_halt=leave
11.000  qmp      web1 registers halted=true vcpus=1
60.000  qmp      web1 RESET guest=false reason=host-qmp-system-reset
60.000  expect   web1 reboot by operator, qmp-reset
90.000  qmp      web1 registers halted=true vcpus=1
90.000  expect   web1 halt by guest, halted
90.000  expect   web1 3 verdicts
