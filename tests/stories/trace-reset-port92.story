# A reboot by the system control port.
 0.000  qmp      web1 running
 4.999  trace    web1 port-write port=0x92 value=1 pc=true
 5.000  qmp      web1 RESET guest=true reason=guest-reset
 6.000  expect   web1 reboot by guest, reset-port92, graceful unknown, left running, certain
