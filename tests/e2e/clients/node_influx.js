// What npm's influx does with a server: node_influx.js PORT. Exits 77 without the package.
'use strict';

const assert = require('assert');

let Influx;
try {
    Influx = require('influx');
} catch (e) {
    process.exit(77);
}

async function main(port) {
    const client = new Influx.InfluxDB({host: '127.0.0.1', port, database: 'js'});
    await client.createDatabase('js');
    assert((await client.getDatabaseNames()).includes('js'));
    const alive = await client.ping(5000);
    assert(alive[0].online && alive[0].version === '1.8.10');

    await client.writePoints([
        {measurement: 'm', tags: {h: 'a b'}, fields: {v: 1.5, s: 'x"y'},
         timestamp: new Date('2020-01-01T00:00:00Z')},
        {measurement: 'm', tags: {h: 'c'}, fields: {v: 2.5, s: 'z'},
         timestamp: new Date('2020-01-01T00:30:00Z')},
    ]);
    const rows = await client.query('SELECT * FROM m');
    assert.deepStrictEqual(rows.map(r => [r.h, r.v, r.s]), [['a b', 1.5, 'x"y'], ['c', 2.5, 'z']]);
    assert.strictEqual(rows[1].time.toISOString(), '2020-01-01T00:30:00.000Z');
    const both = await client.query(['SELECT mean(v) FROM m', 'SELECT count(v) FROM m GROUP BY h']);
    assert.strictEqual(both[0][0].mean, 2);
    assert.strictEqual(both[1].length, 2);
    const bound = await client.query('SELECT v FROM m WHERE h = $h', {placeholders: {h: 'c'}});
    assert.deepStrictEqual(bound.map(r => r.v), [2.5]);
    assert.deepStrictEqual(await client.getMeasurements(), ['m']);
    assert.strictEqual((await client.getSeries()).length, 2);

    await client.createRetentionPolicy('week', {duration: '7d', replication: 1, database: 'js'});
    await client.alterRetentionPolicy('week', {duration: '8d', replication: 1, database: 'js'});
    const policies = await client.showRetentionPolicies('js');
    assert.strictEqual(policies.find(p => p.name === 'week').duration, '192h0m0s');
    await assert.rejects(client.query('SELEC'), /error parsing query/);
    await assert.rejects(client.writePoints([{measurement: 'm', fields: {v: 'text'}}]),
                         /field type conflict/);
    await client.dropSeries({where: "h = 'c'"});
    assert.strictEqual((await client.query('SELECT * FROM m')).length, 1);
    await client.dropRetentionPolicy('week', 'js');
    await client.dropMeasurement('m', 'js');
    await client.dropDatabase('js');
}

main(Number(process.argv[2])).catch(e => {
    console.error(e);
    process.exit(1);
});
