# A guest that stopped feeding the hypervisor's watchdog has crashed, and its owner may want something else then.
policy web1 on_watchdog=restart
policy web1 on_crash=preserve
 5.000  xen      web1 domain-shutdown watchdog
 5.000  expect   web1 crash by guest, xen-shutdown, not graceful, certain, left off, rule xen-watchdog, restart pending
