/// An answer to one HTTP request, whole.
struct HTTPAnswer: Hashable, Sendable {
    var status: Int
    var body: [UInt8]
}
