// Kinesalite on loopback alone: its command has no option for that.
const action = require.resolve('@program@/node_modules/kinesalite/actions/getShardIterator')
const getShardIterator = require(action)
const { shardIxToHex } = require('@program@/node_modules/kinesalite/db')

// It never answers a request for the iterator of a time after which nothing came. That iterator is the shard's end.
require.cache[action].exports = (store, data, callback) => {
  if (data.ShardIteratorType !== 'AT_TIMESTAMP' || data.Timestamp == null || data.Timestamp * 1000 > Date.now()) {
    return getShardIterator(store, data, callback)
  }
  getShardIterator(store, { ...data, ShardIteratorType: 'LATEST', Timestamp: undefined }, (error, end) => {
    if (error) return callback(error)
    const shard = parseInt(data.ShardId.split('-')[1])
    let found = false
    store.getStreamDb(data.StreamName).createReadStream({ gt: shardIxToHex(shard), lt: shardIxToHex(shard + 1) })
      .on('data', (item) => { found = found || item.value.ApproximateArrivalTimestamp >= data.Timestamp })
      .on('end', () => found ? getShardIterator(store, data, callback) : callback(null, end))
  })
}

const kinesalite = require('@program@/node_modules/kinesalite')
kinesalite({ createStreamMs: 50, deleteStreamMs: 50, updateStreamMs: 50, shardLimit: 100000 }).listen(@port@, '127.0.0.1')
