# A panicked guest that spins is still crashed when somebody kills it.
policy web1 on_crash=leave
 5.000  qmp      web1 GUEST_PANICKED action=run
 1h     process  web1 killed SIGKILL
 2h     expect   web1 crash by guest, panic-device, left running
 2h     expect   web1 1 verdict
 2h     expect   web1 0 revisions
