# A shutdown for a reason that nobody has a name for stays unknown.
 5.000  qmp      web1 SHUTDOWN guest=false reason=host-whim
 5.005  process  web1 exited 0
 6.000  expect   web1 unknown by unknown, unseen, graceful unknown, left gone, guess, rule shutdown-unexplained
