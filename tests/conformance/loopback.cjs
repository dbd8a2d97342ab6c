// SPDX-License-Identifier: GPL-3.0-or-later
// Kinesis Mock listens on every interface and has no setting for it.
const net = require('node:net');
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (options, ...others) {
  return listen.call(this, typeof options === 'object' ? { ...options, host: '127.0.0.1' } : options, ...others);
};
