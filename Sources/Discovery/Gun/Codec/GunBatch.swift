/// How the messages of one turn become WebSocket messages: the first alone, the others as arrays.
enum GunBatch {
    /// gun.js's `opt.pack`: an array that has reached this many characters is sent before more is added.
    static let characterCount = 9_000

    static func texts(of messages: [[UInt8]]) -> [[UInt8]] {
        guard let first = messages.first else { return [] }
        var texts = [first]
        var batch: [UInt8] = []
        func close() {
            guard !batch.isEmpty else { return }
            texts.append([UInt8(ascii: "[")] + batch + [UInt8(ascii: "]")])
            batch = []
        }
        for message in messages.dropFirst() {
            if batch.count + message.count > Self.characterCount { close() }
            if !batch.isEmpty { batch.append(UInt8(ascii: ",")) }
            batch += message
        }
        close()
        return texts
    }
}
