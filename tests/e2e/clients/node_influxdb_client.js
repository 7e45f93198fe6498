// What npm's @influxdata/influxdb-client writes to a server: node_influxdb_client.js PORT. Exits 77
// without the package.
'use strict';

const assert = require('assert');

let Client;
try {
    Client = require('@influxdata/influxdb-client');
} catch (e) {
    process.exit(77);
}

async function main(port) {
    const url = `http://127.0.0.1:${port}`;
    const api = new Client.InfluxDB({url, token: 'user:secret'}).getWriteApi('-', 'v2/autogen', 'ms', {
        maxRetries: 0,
        gzipThreshold: 100,
        batchSize: 5000,
    });
    for (let i = 0; i < 2000; i++) {
        api.writePoint(new Client.Point('m').tag('h', 'a b').floatField('v', i / 4).intField('n', i)
            .timestamp(1577836800000 + i));
    }
    await api.flush();
    await api.close();
    const bad = new Client.InfluxDB({url, token: 't'}).getWriteApi('-', 'v2', 'ms', {maxRetries: 0});
    bad.writeRecord('m v="text"');
    await assert.rejects(bad.flush(), /field type conflict/);
    await bad.close();
}

main(Number(process.argv[2])).catch(e => {
    console.error(e);
    process.exit(1);
});
