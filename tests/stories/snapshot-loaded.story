# A reset that nobody has a name for is a reboot by nobody known.
 5.000  qmp      web1 RESET guest=false reason=snapshot-load
 6.000  expect   web1 reboot by unknown, unseen, graceful unknown, left running, likely, rule reset-unexplained
