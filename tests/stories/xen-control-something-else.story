# A guest that was asked to reboot and powers itself off does not obey, nor does one that crashes.
 5.000  xen      web1 control-request reboot
 5.010  xen      web1 control-acknowledged reboot
 8.000  xen      web1 domain-shutdown poweroff
 8.000  expect   web1 poweroff by guest, xen-shutdown, graceful, certain
 5.000  xen      web2 control-request poweroff
 5.010  xen      web2 control-acknowledged poweroff
 8.000  xen      web2 domain-shutdown crash
 8.000  expect   web2 crash by guest, xen-shutdown, not graceful
