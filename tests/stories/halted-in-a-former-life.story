# What a guest said before its last reboot does not make its halt a graceful one.
policy web1 on_halt=leave
 5.000  console  web1 line "reboot: Power down"
 6.000  qmp      web1 RESET guest=false reason=host-qmp-system-reset
11.000  qmp      web1 registers halted=true vcpus=1
11.000  expect   web1 halt by guest, halted, graceful unknown
