@main
enum NATLab { static func main() {} }
