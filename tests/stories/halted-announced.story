# A guest that said so on its console halted in order.
policy web1 on_halt=leave
 9.000  console  web1 line "[   12.345678] reboot: System halted"
11.000  qmp      web1 registers halted=true vcpus=1
11.000  expect   web1 halt by guest, halted, graceful, left halted, leave none, rule halted-announced
