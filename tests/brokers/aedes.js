// aedes behind a plain port and one with TLS: node broker.js PLAIN TLS CERTIFICATE KEY
const fs = require('fs')
const net = require('net')
const tls = require('tls')
const { Aedes } = require('aedes')

const [plain, secure, certificate, key] = process.argv.slice(2)

Aedes.createBroker().then((broker) => {
  net.createServer(broker.handle).listen(Number(plain), '127.0.0.1')
  const credentials = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }
  tls.createServer(credentials, broker.handle).listen(Number(secure), '127.0.0.1')
})
