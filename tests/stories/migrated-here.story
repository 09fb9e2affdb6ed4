# A VM that has arrived by migration runs by itself: nobody has said cont.
 1.000  qmp      web1 monitor-opened
 1.001  qmp      web1 status inmigrate
 5.000  qmp      web1 RESUME
 5.000  expect   web1 resume by operator, migration, graceful unknown, left running, likely, rule migrated-here
 9.000  qmp      web1 STOP
 9.001  qmp      web1 status paused
20.000  qmp      web1 RESUME
20.000  expect   web1 resume by operator, qmp-stop, likely, rule qmp-cont-unseen
1h      expect   web1 3 verdicts
# Who has told it where from is named.
 1.001  qmp      web2 status inmigrate
 2.000  vmpower  web2 request migrate-incoming pid=501 comm=tool user=anna
15.000  qmp      web2 RESUME
15.000  expect   web2 resume by operator, migration, likely, actor tool, rule migrated-here
1h      expect   web2 1 verdict
# With -S it waits for that, and whoever says so did it.
 1.001  qmp      web3 status inmigrate
 2.000  vmpower  web3 request migrate-incoming pid=501 comm=tool user=anna
 4.990  vmpower  web3 request cont pid=502 comm=other user=bob
 5.000  qmp      web3 RESUME
 5.000  expect   web3 resume by operator, qmp-stop, certain, actor other, rule qmp-cont
1h      expect   web3 1 verdict
