# Who alone was at another monitor when the VM stopped for good has migrated it, most likely.
 5.000  process  web1 monitor-client event=stop monitor=/run/a.qmp pid=501 comm=libvirtd user=root
 5.000  qmp      web1 STOP
 5.100  qmp      web1 status postmigrate
 5.100  expect   web1 migrate by operator, migration, actor libvirtd
