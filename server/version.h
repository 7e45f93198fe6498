/**
 * The version of InfluxDB whose HTTP API the server speaks: clients choose their dialect by it.
 */
#ifndef SERVER_VERSION_H
#define SERVER_VERSION_H

#define SERVER_INFLUXDB_VERSION "1.8.10"

#endif
