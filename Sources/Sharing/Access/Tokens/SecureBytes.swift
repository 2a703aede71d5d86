/// From the system's generator, which is fit for secrets.
enum SecureBytes {
    static func draw(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
