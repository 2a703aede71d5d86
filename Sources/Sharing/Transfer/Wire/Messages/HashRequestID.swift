/// Names a ``HashRequest`` in the answer that refuses it.
struct HashRequestID: Hashable, Sendable {
    var layer: Int
    var index: Int
    var count: Int
}
