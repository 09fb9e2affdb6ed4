# What a port does on a machine that is not known is not guessed; a write long before a reset did not do it.
 1.000  trace    fire port-write port=0x64 value=254
 1.000  trace    fire kvm-exit reason=shutdown
 2.000  expect   fire 0 verdicts
 2.500  process  fire exited 0
 3.000  expect   fire unknown by unknown, process-exit
 4.000  qmp      web1 running
 5.000  trace    web1 port-write port=0x64 value=254 pc=true
 7.000  qmp      web1 RESET guest=true reason=guest-reset
 7.000  expect   web1 reboot by guest, guest-reset
