/// Ids of messages and of peers: 9 random characters, so that none is the beginning of another.
enum GunID {
    private static let characters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    private static let count = 9

    static func random() -> ExactText {
        ExactText(String(decoding: (0..<Self.count).map { _ in Self.characters[Int.random(in: 0..<Self.characters.count)] }, as: UTF8.self))
    }
}
