# A migration that fails in its last phase was a pause.
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status finish-migrate
 5.300  qmp      web1 RESUME
 5.300  expect   web1 resume by operator, qmp-stop
 1h     expect   web1 2 verdicts
