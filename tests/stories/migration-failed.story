# A migration that fails in its last phase: its source stands still for it and goes on by itself, and nobody has said stop or cont.
 1.000  vmpower  web1 request migrate pid=501 comm=tool user=anna
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status finish-migrate
11.000  expect   web1 pause by operator, migration, graceful unknown, left paused, certain, actor tool, rule migration-pause
12.000  qmp      web1 RESUME
12.001  qmp      web1 status running
12.001  expect   web1 resume by operator, migration, graceful unknown, left running, certain, actor tool, rule migration-failed
# What comes then is another's.
20.000  qmp      web1 STOP
20.001  qmp      web1 status paused
20.001  expect   web1 pause by operator, qmp-stop, likely, rule qmp-stop-unseen
30.000  qmp      web1 RESUME
30.000  expect   web1 resume by operator, qmp-stop, likely, rule qmp-cont-unseen
1h      expect   web1 4 verdicts
# It fails at once.
 5.000  qmp      web2 STOP
 5.001  qmp      web2 status finish-migrate
 5.300  qmp      web2 RESUME
 5.300  expect   web2 resume by operator, migration, rule migration-failed
 1h     expect   web2 2 verdicts
# What has been migrated and is let run here again was told to.
 1.000  vmpower  web3 request migrate pid=501 comm=tool user=anna
 5.000  qmp      web3 STOP
 5.001  qmp      web3 status finish-migrate
 5.100  qmp      web3 status postmigrate
 5.100  expect   web3 migrate by operator, migration, certain, actor tool
 9.000  vmpower  web3 request cont pid=502 comm=other user=bob
 9.001  qmp      web3 RESUME
 9.001  expect   web3 resume by operator, qmp-stop, certain, actor other
 1h     expect   web3 2 verdicts
